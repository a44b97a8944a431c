import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'kept.draft': 'Draft kept on this device {time}',
  'kept.moved': 'What is saved has changed since.',
  'kept.discard': 'Discard the draft',
  'kept.mark': 'Draft kept',
}
export default texts
