import { clean, few } from './desk-axe'

clean(few)
