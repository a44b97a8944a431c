const texts = {
  'palette.hint': '工单编号、描述，页面或操作',
  'palette.search': '在工单中搜索“{q}”',
  'palette.articles': '在帮助中搜索“{q}”',
} as const
export default texts as Record<keyof typeof texts, string>
