// The modules of keycell's own pages, which are JavaScript.

declare module '#generated/pages/answer.js' {
  /** Makes a list of names and values. A new key comes first and can be copied. */
  export function listOf(answer: object): HTMLElement;
}

declare module '#generated/pages/form.js' {
  /** Makes a form with a field for each property of an input schema. `submit` gets the values that are filled in. */
  export function formOf(schema: object, action: string, submit: (values: Record<string, string>) => void): HTMLFormElement;
  /** Shows faults at their fields in place of those of the previous call. Returns those of other fields. */
  export function showFaults<Fault extends { field: string; message: string }>(form: HTMLElement, faults: Fault[]): Fault[];
}
