const texts = {
  'picker.none': '没有匹配项',
} as const
export default texts as Record<keyof typeof texts, string>
