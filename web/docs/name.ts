// Names of groups and operations in the reader's language.
import { language } from '../kit/i18n.svelte'
import type { ContractId, OperationInfo } from './build/types'
import { groups, operations } from './names'

export const groupName = (name: string) => (language() === 'zh-cn' ? (groups[name] ?? name) : name === 'extra' ? 'Outside the navigation' : name)

/** What an operation does; Chinese where the vendor has a name for it. */
export function what(contract: ContractId, o: Pick<OperationInfo, 'id' | 'summary'>): string {
  return language() === 'zh-cn' && (contract === 'v2' || contract === 'iam') ? (operations[o.id] ?? o.summary) : o.summary
}
