import { clean } from './admin-axe'

clean(() => true)
