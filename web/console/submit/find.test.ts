import { expect, test } from 'vitest'
import { soundsLike } from '../../kit/pinyin'
import { finder } from './find'

const ecs = ['Elastic Cloud Server', 'ECS']
const own = ['弹性云服务器', 'ECS']
const login = ['Remote login', '远程登录']
const disk = ['Cloud disk is full', '云硬盘已满']

test('words of a product and of its problem find the problem together, in any order, and words of neither are in their way no more than a little', () => {
  for (const words of ['cloud server cannot log in', 'Remote  ECS', 'login ecs']) expect(finder(words).both(ecs, login), words).toBeGreaterThan(0.5)
  for (const words of ['云服务器无法登录', '登录云服务器', '云服务器 登录', 'ECS登录', 'ＥＣＳ 登录']) expect(finder(words).both(own, login), words).toBeGreaterThan(0.5)
  expect(finder('ecs denglu', soundsLike).both(own, login)).toBe(1)
  expect(finder('cloud server login').both(ecs, login)).toBeGreaterThan(finder('cloud server cannot log in').both(ecs, login))
})

test('words of the product alone are no problem of it, nor are words of neither', () => {
  for (const words of ['cloud server', 'elastic', 'cloud', 'server in cloud']) for (const problem of [login, disk]) expect(finder(words).both(ecs, problem), words).toBe(0)
  expect(finder('cloud server disk broken').both(ecs, login)).toBe(0)
  expect(finder('云服务器').both(own, login)).toBe(0)
  expect(finder('云服务器很慢怎么办').both(own, login)).toBe(0)
  expect(finder('login').both(ecs, login)).toBe(0)
  expect(finder(' ').both(ecs, login)).toBe(0)
})

test('one thing is found by its words in any order, by a part of them, and by its sound', () => {
  expect(finder('server cloud').one(ecs)).toBe(true)
  expect(finder('cloud serv').one(ecs)).toBe(true)
  expect(finder('txy', soundsLike).one(own)).toBe(true)
  expect(finder('tan xing yun', soundsLike).one(own)).toBe(true)
  expect(finder('cloud disk').one(ecs)).toBe(false)
  expect(finder('').one(ecs)).toBe(false)
})

test('how much of a sentence is found counts, the longest parts of it that the names have, without what is between', () => {
  const of = (words: string, product: string[], problem: string[]) => Number(finder(words, soundsLike).both(product, problem).toFixed(3))
  expect(of('云服务器无法登录', own, login)).toBe(0.75) // 云服务器, 登录: 6 of 8
  expect(of('登录云服务器', own, login)).toBe(1)
  expect(of('弹性云服务器远程登录', own, login)).toBe(1)
  expect(of('我们的弹性云服务器突然无法远程登录', own, login)).toBe(0) // 10 of 17 are less than three fifths
  expect(of('弹性云服务器突然无法远程登录', own, login)).toBe(0.714) // 10 of 14
  expect(of('ECS登录', own, login)).toBe(1)
  expect(of('ＥＣＳ登录', own, login)).toBe(1)
  expect(of('云硬云硬盘已满', ['云硬盘', 'EVS'], ['磁盘已满'])).toBe(0.714) // of 云硬盘 the whole, then 已满
  expect(of('云服登录务器', own, ['登录服务'])).toBe(0.667) // 云服 is the first of two as long; 登录 then, and not 服务 across what is taken
  expect(of('登登录录云服务', own, ['登录'])).toBe(0.714)
  expect(of('弹性登性', own, ['性登性'])).toBe(1) // 弹性, of the rest 登性
  expect(of('𠮷野家云登录', ['𠮷野家云'], ['登录'])).toBe(1) // signs, not halves of them
  expect(of('云盘登录', own, login)).toBe(0) // one sign of a name is no part of it
  expect(of('服务云器', own, ['云器'])).toBe(1)
})

test('a key costs a fixed number of looks at each name: they are folded once for all keys, and no part of a sentence is looked for in them', () => {
  const products = Array.from({ length: 20 }, (_, i) => [`弹性云服务器${i}号`, `ECS${i}`, `Elastic Cloud Server ${i}`])
  const rows = Array.from({ length: 100 }, (_, i) => ({ product: products[i % 20] ?? [], problem: [`无法远程登录${i}`, `Cannot log in ${i}`] }))
  const names = 20 * 3 + 100 * 2
  const sentence = '弹性云服务器突然不能远程登录我们公司从今天早上开始重启之后还是连接超时安全组也已经检查过没有问题请尽快帮忙处理一下'
  const keys = [4, 8, 14, 24, 40, sentence.length]
  let [folds, looks, most, found] = [0, 0, 0, 0]
  const { normalize, includes } = String.prototype
  String.prototype.normalize = function (...of: [string?]) {
    folds++
    return normalize.apply(this, of)
  }
  String.prototype.includes = function (...of) {
    looks++
    return includes.apply(this, of)
  }
  try {
    for (const n of keys) {
      looks = 0
      const finds = finder(sentence.slice(0, n))
      found = Math.max(found, rows.filter((x) => finds.both(x.product, x.problem) > 0).length)
      most = Math.max(most, looks)
    }
  } finally {
    Object.assign(String.prototype, { normalize, includes })
  }
  expect(folds).toBeLessThanOrEqual(names + keys.length)
  expect(most).toBeLessThanOrEqual(names)
  expect(found).toBe(100)
})
