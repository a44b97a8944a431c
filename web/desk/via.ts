// By what of the house's something happened, and which tags it changed: in words.
import type { S } from './data'
import { t, type Key } from './texts'

/** By a bulk run, a macro, a rule or a queue; '' = somebody did it himself. */
export function viaText(via: S['Via'] | undefined): string {
  if (via === undefined) return ''
  return via.name ? t(`h.via.${via.kind}.of` as Key, { name: via.name }) : t(`h.via.${via.kind}` as Key)
}

/** The tags that a change put on or took off; '' = none. */
export function tagsText(e: { tags_added?: string[]; tags_removed?: string[] }): string {
  const part = (key: Key, all: string[] | undefined) => (all === undefined || all.length === 0 ? [] : [t(key, { tags: all.join(t('tag.and')) })])
  return [...part('h.tags.on', e.tags_added), ...part('h.tags.off', e.tags_removed)].join(' ')
}
