import { clean } from './desk-axe'

clean(() => true)
