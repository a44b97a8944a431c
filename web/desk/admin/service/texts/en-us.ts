import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'agr.title': 'Agreements',
  'agr.about': 'What customers sign before they submit a ticket or give an authorization. Publish a new version, and they are asked to sign again.',
  'agr.type': 'For',
  'agr.name': 'Name',
  'agr.version': 'Version',
  'agr.state': 'State',
  'agr.latest': 'In force',
  'agr.old': 'Superseded',
  'agr.withdrawn': 'Withdrawn',
  'agr.empty': 'No agreements yet',
}
export default texts
