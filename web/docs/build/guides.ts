// The guides in their order: an id, which is its address, and the file in docs/.
import type { GuideInfo } from './types'

export const guides: { id: string; group: GuideInfo['group']; file: string }[] = [
  { id: 'overview', group: 'start', file: 'guide/overview' },
  { id: 'user-guide', group: 'start', file: 'guide/user-guide' },
  { id: 'before-you-start', group: 'api', file: 'guide/before-you-start' },
  { id: 'api-overview', group: 'api', file: 'guide/api-overview' },
  { id: 'calling-apis', group: 'api', file: 'guide/calling-apis' },
  { id: 'examples', group: 'api', file: 'guide/examples' },
  { id: 'rules', group: 'api', file: 'CUSTOMERS' },
  { id: 'appendix', group: 'api', file: 'guide/appendix' },
  { id: 'desk', group: 'desk', file: 'DESK' },
  { id: 'knowledge', group: 'desk', file: 'KNOWLEDGE' },
  { id: 'reports', group: 'desk', file: 'REPORTS' },
  { id: 'roles', group: 'desk', file: 'ROLES' },
  { id: 'operate', group: 'operate', file: 'OPERATE' },
  { id: 'configuration', group: 'operate', file: 'CONFIGURATION' },
  { id: 'administration', group: 'operate', file: 'ADMINISTRATION' },
  { id: 'sign-in', group: 'operate', file: 'SIGN-IN' },
  { id: 'privacy', group: 'operate', file: 'PRIVACY' },
  { id: 'scaling', group: 'operate', file: 'SCALING' },
  { id: 'web', group: 'make', file: 'WEB' },
]

export const suffix = { 'zh-cn': '.zh-CN.md', 'en-us': '.md' } as const
