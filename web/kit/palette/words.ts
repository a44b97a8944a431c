// What the words of a palette find.
import { soundsLike } from '../pinyin'

const fold = (s: string) => s.normalize('NFKC').toLowerCase()

/** Tells of a text whether it has all the words, each as it is written or, from two letters on, as Chinese sounds (full pinyin, initials, mixed). */
export function finder(words: string): (text: string) => boolean {
  const want = fold(words).split(/\s+/).filter(Boolean)
  return (text) => {
    const folded = fold(text)
    return want.every((w) => folded.includes(w) || (w.length > 1 && soundsLike(folded, w)))
  }
}
