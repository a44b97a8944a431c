import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'kit.upload.drop': 'Drop files, paste a screenshot, or',
  'kit.upload.choose': 'choose files',
  'kit.upload.limits': 'up to {count}, each at most {size} MB',
  'kit.upload.types': 'Allowed types: {types}',
  'kit.upload.done': 'Uploaded',
  'kit.upload.cancel': 'Cancel upload of {name}',
  'kit.upload.remove': 'Remove {name}',
  'kit.upload.retry': 'Upload {name} again',
  'kit.upload.failed': 'Upload failed',
  'kit.upload.count': 'At most {count} files; not added: {name}',
  'kit.upload.size': '{name} is larger than {size} MB',
  'kit.upload.type': 'Files like {name} are not accepted',
  'kit.upload.gone': '{name} is no longer on the server: please add it again',
  'kit.upload.empty': '{name} is empty',
  'kit.preview': 'Preview',
  'kit.uploading': 'Uploading, {percent} %',
}
export default texts
