const texts = {
  'nav.label': '主导航',
  'nav.home': '首页',
  'nav.tickets': '工单',
  'nav.new': '提交工单',
  'nav.auths': '授权',
  'nav.labels': '标签',
  'nav.articles': '帮助',
  'nav.figures': '统计',
  'nav.access': '提单权限',
  'nav.agreements': '服务协议',
  'nav.me': '我的资料',
  'nav.menu': '菜单',
  'nav.find': '查找工单',
  'nav.find.hint': '编号或描述',
  'nav.account': '账号 {name}',
  'keys.go': '前往',

  'missing.title': '没有这个页面',
  'missing.hint': '地址可能有误，或内容已被移走。',

  'home.title': '首页',
  'home.need': '等您处理',
  'home.calm': '没有等您处理的事项。',
  'home.answer': '工程师在等您的答复',
  'home.confirm': '已给出解决方案，请确认是否解决',
  'home.running': '处理中',
  'home.all': '查看全部',
  'home.none': '没有处理中的工单。',
  'home.counts': '全部工单',
  'home.nothing': '还没有工单',
  'home.nothing.hint': '遇到问题时提交工单，工程师会在约定时间内答复。',

  'ticket.unread': '{n} 条新消息',

  'ticket.said.you': '您最后发言',
  'ticket.said': '{name} 最后发言',
} as const
export default texts as Record<keyof typeof texts, string>
