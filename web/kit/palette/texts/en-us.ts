import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'picker.none': 'Nothing matches',
}
export default texts
