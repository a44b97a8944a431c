// Articles as files: all of them as one zip.
import { desk } from '../../kit/api'
import { unwrap } from '../../kit/errors'
import { toast } from '../../kit/say.svelte'
import { sayAll } from '../../kit/text'
import { save } from '../files'
import { k } from './texts'
import { zip } from './zip'

export async function exported(): Promise<void> {
  try {
    const { files } = await unwrap(desk.GET('/desk/v1/article-files'))
    save(zip(files), 'articles.zip')
    toast(k('know.export.done', { n: Object.keys(files).length }))
  } catch (e) {
    toast(sayAll(e), { bad: true })
  }
}
