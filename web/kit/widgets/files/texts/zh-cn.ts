const texts = {
  'kit.upload.drop': '拖入文件、粘贴截图，或',
  'kit.upload.choose': '选择文件',
  'kit.upload.limits': '最多 {count} 个，每个不超过 {size} MB',
  'kit.upload.types': '允许的类型：{types}',
  'kit.upload.done': '已上传',
  'kit.upload.cancel': '取消上传 {name}',
  'kit.upload.remove': '移除 {name}',
  'kit.upload.retry': '重新上传 {name}',
  'kit.upload.failed': '上传失败',
  'kit.upload.count': '最多 {count} 个文件，未添加：{name}',
  'kit.upload.size': '{name} 超过 {size} MB',
  'kit.upload.type': '不支持 {name} 的类型',
  'kit.upload.gone': '{name} 已不在服务器上，请重新添加',
  'kit.upload.empty': '{name} 是空文件',
  'kit.preview': '预览',
  'kit.uploading': '上传中 {percent}%',
} as const
export default texts as Record<keyof typeof texts, string>
