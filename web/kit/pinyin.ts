// Finds Chinese words by how they sound: full pinyin, initials, or both mixed
// (tanxingyun, txy, tanxyun). Loaded where something is searched this way.
import pinyin from 'tiny-pinyin'

// Characters with more than one reading that names of products and problems
// use. The library knows one of each.
const more: Record<string, string> = {
  弹: 'tan dan', 行: 'hang xing', 重: 'chong zhong', 长: 'chang zhang', 调: 'diao tiao', 率: 'lv shuai', 区: 'qu', 参: 'can', 传: 'chuan zhuan', 会: 'hui kuai', 系: 'xi ji', 单: 'dan',
  降: 'jiang xiang', 藏: 'cang zang', 还: 'huan hai', 都: 'dou du', 差: 'cha chai', 度: 'du duo', 给: 'gei ji', 卡: 'ka qia', 落: 'luo la', 模: 'mo mu', 省: 'sheng xing', 说: 'shuo shui', 提: 'ti di',
  相: 'xiang', 校: 'xiao jiao', 应: 'ying', 载: 'zai', 折: 'zhe she', 属: 'shu zhu', 薄: 'bao bo', 处: 'chu', 数: 'shu', 量: 'liang', 更: 'geng', 号: 'hao', 结: 'jie', 解: 'jie', 空: 'kong',
  累: 'lei', 强: 'qiang jiang', 曲: 'qu', 切: 'qie', 识: 'shi', 万: 'wan', 压: 'ya', 中: 'zhong', 种: 'zhong', 转: 'zhuan', 发: 'fa', 分: 'fen', 合: 'he', 间: 'jian', 看: 'kan', 能: 'neng', 只: 'zhi',
  朝: 'chao zhao', 乐: 'le yue', 供: 'gong', 占: 'zhan', 正: 'zheng', 服: 'fu', 绿: 'lv', 略: 'lve', 网: 'wang', 储: 'chu', 密: 'mi', 钥: 'yao yue', 术: 'shu', 血: 'xue', 核: 'he hu', 缩: 'suo',
}

function readings(c: string): string[] {
  const own = more[c]
  if (own !== undefined) return own.split(' ')
  if (!/\p{Script=Han}/u.test(c)) return [c.toLowerCase()]
  return [pinyin.convertToPinyin(c, '', true)]
}

// A search asks for the same names with each key.
const heard = new Map<string, string[][]>()
function soundsOf(text: string): string[][] {
  let sounds = heard.get(text)
  if (sounds === undefined) {
    if (heard.size >= 5_000) heard.clear()
    sounds = [...text].filter((c) => !/\s/.test(c)).map(readings)
    heard.set(text, sounds)
  }
  return sounds
}

/** Whether the letters sound like some part of the text, or like its beginning; the query in lower case, without spaces. */
export function soundsLike(text: string, query: string, beginning = false): boolean {
  if (query === '' || !/^[a-z0-9]+$/.test(query)) return false
  const sounds = soundsOf(text)
  const from = (i: number, rest: string): boolean => {
    if (rest === '') return true
    const here = sounds[i]
    if (here === undefined) return false
    return here.some((r) => r.startsWith(rest) || (rest.startsWith(r) && from(i + 1, rest.slice(r.length))) || (r.length > 1 && rest[0] === r[0] && from(i + 1, rest.slice(1))))
  }
  return beginning ? from(0, query) : sounds.some((_, i) => from(i, query))
}
