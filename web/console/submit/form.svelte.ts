// The ticket that is being written: what was filled in, its draft, what is
// missing, and how it is sent. One Form lives as long as the page.
import { untrack } from 'svelte'
import { v2 } from '../../kit/api'
import { drop, keep, kept, later } from '../../kit/drafts'
import { asFailure, unwrap } from '../../kit/errors'
import { bare } from '../../kit/pictures'
import { queries } from '../../kit/query'
import { announce, toast } from '../../kit/say.svelte'
import { session } from '../../kit/session.svelte'
import { sayAll } from '../../kit/text'
import { sendForm, Uploads, type KeptFile } from '../../kit/uploads.svelte'
import { ticketsQuery, type S } from '../data'
import { fileLink, pictured, pictureOf } from '../detail'
import { m, type MoreKey } from '../more'
import { noContact, type Contact } from '../parts/ContactField.svelte'
import { navigate } from '../router'
import { categoriesQuery, choices, problemsQuery } from './choices'

const sourceId = '83aeb0f2834c4df49826c781d32a963e' // fixed by the contract
export const longest = 1200

export interface Choice {
  sub: string
  subName: string
  product: string
  productName: string
  problem: string
  problemName: string
  fault: boolean
}
const nothing: Choice = { sub: '', subName: '', product: '', productName: '', problem: '', problemName: '', fault: false }

interface Draft {
  choice: Choice
  region: string
  text: string
  values: Record<string, string>
  severity: string
  time: string
  cc: string
  files?: KeptFile[]
}

export interface Product {
  sub: string
  subName: string
  id: string
  name: string
  about: string
  acronym: string
}

type Categories = Awaited<ReturnType<ReturnType<typeof categoriesQuery>['queryFn']>>
export const productsOf = (list: Categories): Product[] =>
  list.flatMap((c) =>
    (c.incident_product_category_list ?? []).map((x) => ({
      sub: c.incident_sub_type_id ?? '',
      subName: c.incident_sub_type_name ?? '',
      id: x.incident_product_category_id ?? '',
      name: x.incident_product_category_name ?? '',
      about: x.incident_product_category_desc ?? '',
      acronym: x.incident_product_category_acronym ?? '',
    })),
  )

export class Form {
  choice = $state<Choice>({ ...nothing })
  region = $state('')
  text = $state('')
  values = $state<Record<string, string>>({})
  severity = $state('')
  phone = $state<Contact>(noContact())
  mail = $state<Contact>(noContact())
  time = $state('0')
  cc = $state('')
  agreed = $state(false)
  keptAt = $state(0)
  tried = $state(false)
  busy = $state(false)
  failure = $state<unknown>()

  readonly uploads = new Uploads({ count: 5, megabytes: 10, types: [] }, sendForm('/v2/servicerequest/accessorys', { form_data: JSON.stringify({ accessoryFrom: 'incident' }) }))
  readonly can = choices(() => ({ ...this.choice, severity: this.severity }))
  readonly save = later(() => this.store())

  #user = session()?.user_id ?? ''
  #place = 'submit' // of the draft; one that goes on from a finished ticket has a place of its own
  #ready = false
  #sent = '' // the request's own key: once per content, however often it is tried
  #sentFor = ''

  /** `from` is the number of a finished ticket that this one goes on with, or ''. Call it while a component is made. */
  constructor(readonly from: string) {
    $effect(() => {
      if (this.can.limits.data) this.uploads.limits = this.can.limits.data
    })
    // What a parameter begins with, once its question is known.
    $effect(() => {
      const list = this.can.params.data?.own ?? []
      untrack(() => {
        for (const x of list) if (x.default_value && this.values[x.param_key ?? ''] === undefined) this.values[x.param_key ?? ''] = x.default_value
      })
    })
    $effect(() => {
      void [this.choice, this.region, this.text, JSON.stringify(this.values), this.severity, this.time, this.cc, this.uploads.kept]
      if (this.#ready) this.save.call()
      this.#ready = true
    })
    // A page that is left in the middle of a word has it all the same.
    $effect(() => {
      addEventListener('pagehide', this.save.flush)
      return () => {
        removeEventListener('pagehide', this.save.flush)
        this.save.flush()
      }
    })
    if (from !== '') this.#place += `.${from}`
    untrack(() => {
      const k = kept<Draft>(this.#user, this.#place)
      if (k === undefined) return void (from !== '' && this.succeed())
      this.keptAt = k.at
      const { files = [], ...rest } = k.value
      this.uploads.restore(files)
      Object.assign(this, rest, { text: bare(rest.text, (id) => files.some((x) => x.id === id)) }) // a file that was on its way is not kept, nor its place
      for (const x of files) void this.#recall(x)
    })
  }

  /** A kept file's picture; files that were not sent for long are no more, and that is said. */
  async #recall(x: KeptFile): Promise<void> {
    const here = await fileLink([x.id]).then((links) => links.has(x.id), (e: unknown) => asFailure(e).status === 0 || asFailure(e).passing) // who can not be asked may have it all the same
    if (!here) {
      this.uploads.lose(x.id)
      this.text = bare(this.text, (id) => id !== x.id)
    } else if (pictured(x.name)) {
      const picture = await pictureOf(x.id, '', new AbortController().signal).then(URL.createObjectURL, () => '') // its name does as well
      const u = this.uploads.list.find((y) => y.id === x.id)
      if (u !== undefined) u.preview = picture
      else if (picture !== '') URL.revokeObjectURL(picture)
    }
  }

  readonly chosen = $derived(this.choice.problem !== '')

  pick(x: Product): void {
    this.choice = { ...nothing, sub: x.sub, subName: x.subName, product: x.id, productName: x.name }
  }
  pickProblem(x: S['SimpleIncidentBusinessTypeV2']): void {
    this.choice = { ...this.choice, problem: x.business_type_id ?? '', problemName: x.business_type_name ?? '', fault: x.case_type === '5' }
    this.values = {}
    this.severity = ''
  }
  /** A problem of the chosen product, by its id. */
  async pickById(id: string): Promise<void> {
    const product = this.choice.product
    try {
      const one = (await queries.ensureQueryData(problemsQuery(product))).find((x) => x.business_type_id === id)
      if (one !== undefined && this.choice.product === product) this.pickProblem(one)
    } catch (e) {
      toast(sayAll(e), { bad: true }) // the product is chosen; its problems are asked for below
    }
  }
  unpick(): void {
    this.choice = { ...nothing }
  }

  // ---- drafts: everything but contacts' proofs and sensitive values
  private store(): void {
    if (this.text === '' && this.choice.product === '' && this.uploads.kept.length === 0) drop(this.#user, this.#place)
    else {
      const sensitive = new Set((this.can.params.data?.own ?? []).filter((x) => x.is_sensitive === 1).map((x) => x.param_key ?? ''))
      const values = Object.fromEntries(Object.entries($state.snapshot(this.values)).filter(([k]) => !sensitive.has(k)))
      this.keptAt = keep<Draft>(this.#user, this.#place, { choice: $state.snapshot(this.choice), region: this.region, text: this.text, values, severity: this.severity, time: this.time, cc: this.cc, files: this.uploads.kept })
    }
  }
  clear(): void {
    this.unpick()
    this.uploads.clear()
    this.text = ''
    this.region = ''
    this.values = {}
    this.severity = ''
    this.cc = ''
    this.keptAt = 0
    drop(this.#user, this.#place)
  }

  /** A successor of a finished ticket: the same product and problem, its number in the text. */
  private async succeed(): Promise<void> {
    try {
      const old = (await queries.fetchQuery(ticketsQuery({ q: this.from, limit: 1 }))).incident_info_list[0]
      if (old === undefined || old.incident_id !== this.from) return
      this.text = m('submit.again', { what: this.from })
      const product = productsOf(await queries.ensureQueryData(categoriesQuery())).findLast((x) => x.name === old.product_category_name)
      if (product === undefined) return
      this.pick(product)
      const same = (await queries.ensureQueryData(problemsQuery(product.id))).find((x) => x.business_type_name === old.business_type_name)
      if (same !== undefined) this.pickProblem(same)
    } catch (e) {
      toast(sayAll(e), { bad: true })
    }
  }

  // ---- what is missing
  shows(key: string): boolean {
    return (this.can.params.data?.common.get(key)?.is_show ?? 1) !== 0
  }
  private demands(key: string): boolean {
    return this.can.params.data?.common.get(key)?.is_required === 1
  }
  readonly regionNeeded = $derived.by(() => this.choice.fault || this.demands('region_id'))
  readonly reachable = $derived(fine(this.phone) && fine(this.mail) && (this.phone.value !== '' || this.mail.value !== ''))
  readonly ccList = $derived(this.cc.split(/[;,，；\s]+/).filter(Boolean))
  readonly ccWrong = $derived(this.ccList.find((a) => !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(a)) ?? '')
  readonly noQuota = $derived.by(() => {
    const q = this.can.quota.data
    return q !== undefined && q.total >= 0 && q.un_used <= 0
  })
  readonly unsigned = $derived.by(() => {
    const a = this.can.agreement.data
    return a?.id && !a.signed ? a : undefined
  })
  readonly missing = $derived.by(() => {
    const list: { key: MoreKey; to: string }[] = []
    if (!this.chosen) list.push({ key: 'submit.q.what', to: 'q-what' })
    if (this.chosen && this.regionNeeded && this.region === '') list.push({ key: 'submit.region', to: 'region' })
    if (this.text.trim() === '') list.push({ key: 'submit.text', to: 'text' })
    if (this.text.length > longest) list.push({ key: 'submit.toolong', to: 'text' })
    for (const x of this.can.params.data?.own ?? []) if (x.required === 1 && !this.values[x.param_key ?? '']) list.push({ key: 'submit.params', to: `param-${x.param_key}` })
    if (this.chosen && this.demands('severity_id') && (this.can.severities.data?.length ?? 0) > 0 && this.severity === '') list.push({ key: 'submit.q.impact', to: 'q-impact' })
    if (this.uploads.failed) list.push({ key: 'submit.failedfile', to: 'q-text' })
    if (!fine(this.phone)) list.push({ key: this.phone.state === 'needed' ? 'submit.phonecode' : 'contact.phone', to: 'q-contact' })
    if (!fine(this.mail)) list.push({ key: this.mail.state === 'needed' ? 'submit.mailcode' : 'contact.mail', to: 'q-contact' })
    if (this.phone.value === '' && this.mail.value === '') list.push({ key: 'submit.q.contact', to: 'q-contact' })
    if (this.ccWrong !== '' || this.ccList.length > (this.can.ccMost.data ?? 10)) list.push({ key: 'contact.cc', to: 'cc' })
    if (this.unsigned !== undefined && !this.agreed) list.push({ key: 'submit.agreement', to: 'agree' })
    return list.filter((x, i) => list.findIndex((y) => y.key === x.key) === i)
  })

  // ---- sending
  private body(): S['CreateOrderIncidentV2Req'] {
    const extends_map = Object.fromEntries(Object.entries($state.snapshot(this.values)).filter(([, v]) => v !== ''))
    const phone = this.phone.value.replace(/[\s-]/g, '')
    const mail = this.mail.value.trim()
    return {
      incident_sub_type_id: this.choice.sub,
      product_category_id: this.choice.product,
      business_type_id: this.choice.problem,
      source_id: sourceId,
      simple_description: this.text,
      ...(this.region !== '' ? { region_id: this.region } : {}),
      ...(this.severity !== '' ? { severity_id: this.severity } : {}),
      ...(phone !== '' ? { remind_mobile: phone, area_code: this.phone.area } : {}),
      ...(mail !== '' ? { remind_mail: mail } : {}),
      remind_time: this.time,
      ...(this.uploads.ids.length > 0 ? { accessory_ids: this.uploads.ids } : {}),
      ...(Object.keys(extends_map).length > 0 ? { extends_map } : {}),
      ...(this.ccList.length > 0 ? { extension_map: { remindCCEmail: this.ccList.join(';') } } : {}),
    } as S['CreateOrderIncidentV2Req']
  }

  async submit(): Promise<void> {
    this.tried = true
    if (this.missing[0] !== undefined) {
      announce(m('submit.missing', { what: this.missing.map((x) => m(x.key)).join(', ') }), 'assertive')
      goTo(this.missing[0].to)
      return
    }
    if (this.busy || this.uploads.busy || this.noQuota) return
    this.busy = true
    this.failure = undefined
    const body = this.body()
    const content = JSON.stringify(body)
    if (content !== this.#sentFor) [this.#sent, this.#sentFor] = [crypto.randomUUID(), content]
    try {
      const made = await unwrap(
        v2.POST('/v2/servicerequest/cases', {
          body,
          params: { header: { ...(this.phone.verified ? { 'x-phone-verifiedid': this.phone.verified } : {}), ...(this.mail.verified ? { 'x-email-verifiedid': this.mail.verified } : {}) } },
          headers: { 'Idempotency-Key': this.#sent },
        }),
      )
      const number = made.incident_id ?? ''
      if (this.unsigned !== undefined) {
        await unwrap(v2.POST('/v2/servicerequest/agreements/{id}/signed', { params: { path: { id: Number(this.unsigned.id) } }, body: { relation_id: number } })).catch((e: unknown) => toast(sayAll(e), { bad: true }))
        void queries.invalidateQueries({ queryKey: ['agreement'] })
      }
      if (this.from !== '')
        await unwrap(v2.POST('/v2/servicerequest/cases/{case_id}/relations', { params: { path: { case_id: number } }, body: { related_id_list: [this.from] } })).catch((e: unknown) => toast(sayAll(e), { bad: true }))
      this.save.stop()
      this.#ready = false
      drop(this.#user, this.#place)
      for (const key of ['tickets', 'counts', 'quota']) void queries.invalidateQueries({ queryKey: [key] })
      toast(m('submit.done', { what: number }))
      void navigate('/tickets/:id', { params: { id: number } })
    } catch (e) {
      this.failure = e
      this.busy = false
    }
  }
}

const fine = (c: Contact) => ['empty', 'free', 'proved'].includes(c.state)

/** Puts the focus on what is named, or on its first control. */
export function goTo(id: string): void {
  const e = document.getElementById(id)
  const target = e?.matches('input,select,textarea') ? e : (e?.querySelector<HTMLElement>('input,select,textarea,button') ?? e)
  target?.focus()
  target?.scrollIntoView({ block: 'center' })
}
