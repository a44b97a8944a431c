// Articles in a ticket: put into what is being written, noted as of use.
import { desk } from '../../kit/api'
import { unwrap } from '../../kit/errors'
import { queries } from '../../kit/query'
import { toast } from '../../kit/say.svelte'
import type { Ticket } from '../data'
import { writing } from '../places.svelte'
import { failed } from '../steps.svelte'
import type { Article } from './data'
import { k } from './texts'

const fresh = (number: string) => void queries.invalidateQueries({ queryKey: ['ticketarticles', number] })

/** What customers may read. */
export const open = (a: Article) => a.state === 'published' && a.audience === 'customers'

/** The article as it stands in a message: its title, in the ticket's language, and where it is read. */
export function written(a: Article, ticket: Pick<Ticket, 'description'>): string {
  const han = /\p{Script=Han}/u.test(ticket.description)
  const title = (han ? a.zh?.title || a.en?.title : a.en?.title || a.zh?.title) ?? a.title
  return `[${title.replace(/[[\]]/g, ' ').trim()}](${new URL(a.link, location.origin).href})`
}

export async function link(number: string, slug: string): Promise<boolean> {
  try {
    await unwrap(desk.PUT('/desk/v1/tickets/{number}/articles/{article}', { params: { path: { number, article: slug } } }))
    return true
  } catch (e) {
    failed(e)
    return false
  } finally {
    fresh(number)
  }
}

export async function unlink(number: string, slug: string): Promise<void> {
  try {
    await unwrap(desk.DELETE('/desk/v1/tickets/{number}/articles/{article}', { params: { path: { number, article: slug } } }))
    toast(k('know.use.unlinked'), { action: { label: k('know.use.again'), run: () => void link(number, slug) } })
  } catch (e) {
    failed(e)
  }
  fresh(number)
}

/** Puts the article into the text and notes it; one that customers could not read is refused in a reply. */
export async function insert(ticket: Ticket, slug: string): Promise<void> {
  try {
    const a = await unwrap(desk.GET('/desk/v1/articles/{article}', { params: { path: { article: slug } } }))
    if (writing.kind === 'reply' && !open(a)) {
      toast(k('know.use.internal'), { bad: true })
      return
    }
    writing.insert(written(a, ticket))
    if (await link(ticket.number, slug)) toast(k('know.use.inserted'))
  } catch (e) {
    failed(e)
  }
}
