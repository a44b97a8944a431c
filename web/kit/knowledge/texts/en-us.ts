import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'article.table': 'Table',
  'article.language': 'Language of the article',
  'article.fallback': 'There is no Chinese version of this article; this is the English one.',
  'article.fallback.en': 'There is no English version of this article; this is the Chinese one.',
  'article.updated': 'Updated',
  'article.helped': 'Did this article help?',
  'article.helped.yes': 'Yes',
  'article.helped.no': 'No',
  'article.helped.thanks': 'Thank you. You can change your answer at any time.',
}
export default texts
