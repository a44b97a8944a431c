const texts = {
  'agr.title': '协议',
  'agr.about': '客户提交工单或授权前签署的文字。发布新版本后，客户下次会被要求重新签署。',
  'agr.type': '用途',
  'agr.name': '名称',
  'agr.version': '版本',
  'agr.state': '状态',
  'agr.latest': '生效中',
  'agr.old': '已被取代',
  'agr.withdrawn': '已撤下',
  'agr.empty': '还没有协议',
} as const
export default texts as Record<keyof typeof texts, string>
