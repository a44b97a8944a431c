import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'articles.title': 'Help articles',
  'articles.search': 'Search articles',
  'articles.search.eg': 'Search, for example: cannot log in, invoice',
  'articles.product': 'Product',
  'articles.product.any': 'All products',
  'articles.tag.off': 'Stop filtering by the tag “{tag}”',
  'articles.count': '{n} article|{n} articles',
  'articles.start': 'Back to the start',
  'articles.all': 'Show all articles',
  'articles.none': 'No articles yet',
  'articles.none.hint': 'Answers to common questions will be published here.',
  'articles.nomatch': 'No article found',
  'articles.nomatch.hint': 'Try another word, or submit a ticket.',
  'articles.ticket': 'Submit a ticket',
  'articles.only.zh': 'In Chinese only',
  'articles.only.en': 'In English only',
  'article.back': 'All articles',
  'article.gone': 'There is no such article',
  'article.gone.hint': 'It may have been withdrawn, or the address is wrong.',
  'article.unsolved': 'Not solved?',

  'suggest.title': 'These articles may help',
  'suggest.came': 'Articles that may help are listed below the description',
  'suggest.hide': 'Hide',
  'suggest.show': 'Show',
  'suggest.tab': 'Open in a new tab',
}
export default texts
