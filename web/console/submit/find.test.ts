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
