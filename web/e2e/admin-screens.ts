// The administration's screens, for whoever looks at all of them: one list for
// each group of places, in a file of its own.
import type { Screen } from './desk-screens'
import { screens as ops } from './admin-ops'
import { screens as people } from './admin-people'
import { screens as delivery } from './admin-delivery'
import { screens as service } from './admin-service'

export const screens: Screen[] = [
  ...service, //
  ...people,
  ...ops,
  ...delivery,
]
