/** True when a person typed what a decision asks for, but for capitals and spaces around it. */
export const isTyped = (typed: string, wanted: string) => typed.trim().toLowerCase() === wanted;
