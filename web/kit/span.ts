// How long something takes, as the user reads it; no part of the first load.
import { language } from './i18n.svelte'

/** 3 min, 2 h 5 min, 1 d 3 h, 4 d: how long something takes, always with its units. */
export function span(ms: number): string {
  const zh = language() === 'zh-cn'
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  if (ms > 0 && minutes === 0) return zh ? '不到 1 分钟' : 'under 1 min'
  const [d, h, m] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60]
  if (d >= 3) return zh ? `${d} 天` : `${d} d`
  if (d > 0) return (zh ? `${d} 天` : `${d} d`) + (h === 0 ? '' : zh ? ` ${h} 小时` : ` ${h} h`)
  if (h === 0) return zh ? `${m} 分钟` : `${m} min`
  if (m === 0) return zh ? `${h} 小时` : `${h} h`
  return zh ? `${h} 小时 ${m} 分` : `${h} h ${m} min`
}

/** The same where there is little room: from three hours on in whole hours. */
export function spanShort(ms: number): string {
  return span(ms >= 3 * 3_600_000 ? Math.floor(ms / 3_600_000) * 3_600_000 : ms)
}

/** 0:42, for countdowns. */
export function countdown(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}
