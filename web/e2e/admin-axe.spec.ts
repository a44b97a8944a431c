import { clean } from './admin-axe'
import { few } from './desk-axe'

clean(few)
