// A request of each sort of access, of a ticket of the first customer's.
import { presets } from '../desk/auth/kinds'
import type { World } from './world'

export async function ask(world: World): Promise<Map<string, string>> {
  const zhao = await world.desk('zhao')
  const list = (await zhao.call('GET', `/desk/v1/tickets?domain=${world.domains[0]?.domain_id}&status=1&limit=1`)) as { items: { number: string }[] }
  const made = new Map<string, string>()
  for (const p of presets) {
    const details = p.host ? [{ type: 'host', address: '10.0.3.17', instance_id: 'i-7f3a', instance_name: 'web-01', region_id: 'cn-north-4', port: p.port }] : [{ type: 'console' }]
    const a = (await zhao.call('POST', `/desk/v1/tickets/${list.items[0]?.number}/authorizations`, {
      description: '查看 09:08 的配置变更，确认服务中断的原因', resource_type_id: p.resource, visit_type_id: p.visit, content_type_id: p.content, details,
    })) as { id?: string; number?: string }
    made.set(p.id, a.id ?? a.number ?? '')
  }
  return made
}
