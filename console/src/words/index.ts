import { en } from './en';

/** Another language is a value of this type. */
export type Words = typeof en;
export const w: Words = en;
