const texts = {
  'kept.draft': '草稿已保存在本机 {time}',
  'kept.moved': '此后已保存的内容有变化。',
  'kept.discard': '丢弃草稿',
  'kept.mark': '有草稿',
}
export default texts
