// What a key costs in the search on the submit page: all rows of a catalogue are
// judged anew. In web/: `npm run bench`.
import { bench, describe } from 'vitest'
import { soundsLike } from '../../kit/pinyin'
import { finder } from './find'

const typed = {
  'Chinese, 32 signs': '我们公司的弹性云服务器从今天早上开始突然无法远程登录请尽快帮忙',
  'Chinese, 57 signs': '我们公司的弹性云服务器从今天早上开始突然无法远程登录重启之后还是连接超时安全组也已经检查过没有问题请尽快帮忙处理一下',
  'letters, 32 signs': 'our server cannot be logged into ',
}
const products = ['弹性云服务器', '云硬盘', '对象存储服务', '虚拟私有云', '弹性公网', '云数据库', '云容器引擎', '弹性负载均衡', '域名解析', '内容分发网络', '数据仓库服务', '分布式消息服务', '云监控服务', '统一身份认证', '费用中心'].map((name, i) => [name, `P${i}S`, `Elastic product ${i}`])
const problems = ['远程登录', '性能下降', '连接超时', '无法访问', '安全组与防火墙', '计费与发票', '配额不足', '重启失败', '监控告警', '备份与恢复']

for (const rows of [75, 150, 500]) {
  const catalogue = Array.from({ length: rows }, (_, i) => ({ product: products[i % products.length] ?? [], problem: [`${problems[i % problems.length]}${i}`, `Problem number ${i}`] }))
  describe(`${rows} rows`, () => {
    for (const [name, words] of Object.entries(typed))
      bench(name, () => {
        const finds = finder(words, soundsLike)
        for (const x of catalogue) finds.both(x.product, x.problem)
      }, { time: 400, iterations: 3, warmupTime: 50, warmupIterations: 1 })
  })
}
