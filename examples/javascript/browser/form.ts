/** The part of a tool's input schema that a form needs. All arguments of the two tools are text. */
export interface InputSchema {
  properties: Record<string, { description: string }>;
  required: string[];
}

export type Values = (string | undefined)[];

/** Makes a form with a field for each property. `submit` gets the values in order; an empty one is undefined. */
export function formOf(schema: InputSchema, action: string, submit: (values: Values) => void): HTMLFormElement {
  const form = document.createElement('form');
  const names = Object.keys(schema.properties);
  const fields = names.map((name) => {
    const input = document.createElement('input');
    input.name = name;
    input.required = schema.required.includes(name);
    input.autocomplete = 'off';
    const label = document.createElement('label');
    const fault = document.createElement('small');
    fault.setAttribute('role', 'alert');
    label.append(schema.properties[name]!.description, input, fault);
    return label;
  });
  const button = document.createElement('button');
  button.textContent = action;
  form.append(...fields, button);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const values = new FormData(form);
    submit(names.map((name) => String(values.get(name)) || undefined));
  });
  return form;
}

/** Shows faults at their fields in place of those of the previous call. */
export function showFaults(form: HTMLFormElement, faults: { field: string; message: string }[]): void {
  for (const input of form.querySelectorAll('input')) {
    const messages = faults.filter(({ field }) => field === input.name).map(({ message }) => message);
    input.nextElementSibling!.textContent = messages.join('; ');
    input.setAttribute('aria-invalid', String(messages.length > 0));
  }
}
