// What the words of a palette find.
import { soundsLike } from '../pinyin'

const fold = (s: string) => s.normalize('NFKC').toLowerCase()

/** Tells of a name whether the words are how it begins, written or sounding so: for what must not be found by any other word in it. */
export function beginner(words: string): (text: string) => boolean {
  const want = fold(words).trim().replace(/\s+/g, ' ')
  return (text) => want !== '' && (fold(text).startsWith(want) || (want.length > 1 && soundsLike(fold(text), want.replace(/ /g, ''), true)))
}

/** Tells of a text whether it has all the words, each as it is written or, from two letters on, as Chinese sounds (full pinyin, initials, mixed). */
export function finder(words: string): (text: string) => boolean {
  const want = fold(words).split(/\s+/).filter(Boolean)
  return (text) => {
    const folded = fold(text)
    return want.every((w) => folded.includes(w) || (w.length > 1 && soundsLike(folded, w)))
  }
}
