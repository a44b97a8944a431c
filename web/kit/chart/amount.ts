// Numbers of charts as they are read.
import { intl } from '../i18n.svelte'
import { span } from '../span'
import type { Unit } from './model'

export function amount(value: number, unit: Unit): string {
  if (unit === 'ms') return span(value)
  if (unit === 'percent') return `${new Intl.NumberFormat(intl(), { maximumFractionDigits: 1 }).format(value)}%`
  return new Intl.NumberFormat(intl(), { maximumFractionDigits: unit === 'points' ? 2 : 0 }).format(value)
}
