const texts = {
  'article.table': '表格',
  'article.language': '文章语言',
  'article.fallback': '本文没有中文版，以下为英文。',
  'article.fallback.en': '本文没有英文版，以下为中文。',
  'article.updated': '更新于',
  'article.helped': '这篇文章有帮助吗？',
  'article.helped.yes': '有帮助',
  'article.helped.no': '没有帮助',
  'article.helped.thanks': '谢谢您的反馈，可随时更改。',
} as const
export default texts as Record<keyof typeof texts, string>
