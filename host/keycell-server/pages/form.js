import { button, h, uid } from './dom.js';
import { parse } from './json.js';

/** Makes a field: a label, a hint, the control, and a place for faults. */
export function field(name, label, control, { hint, helper, isRequired = false } = {}) {
  const id = uid(name.replaceAll('.', '-'));
  const [hintId, faultId] = [`${id}-hint`, `${id}-fault`];
  control.id = id;
  control.name = name;
  control.required = isRequired;
  control.autocomplete = 'off';
  control.spellcheck = false;
  control.setAttribute('aria-describedby', hint ? `${hintId} ${faultId}` : faultId);
  return h('div', { class: 'field', 'data-field': name },
    h('label', { for: id }, label, isRequired && h('span', { class: 'required', 'aria-hidden': 'true' }, 'required')),
    hint && h('p', { class: 'hint', id: hintId }, hint),
    control,
    helper,
    h('p', { class: 'fault', id: faultId, role: 'alert' }));
}

/** Makes a group of controls or fields under one legend, with a place for faults. */
export function group(name, legend, children, { hint } = {}) {
  const faultId = uid('fault');
  return h('fieldset', { class: 'field', 'data-field': name, 'aria-describedby': faultId },
    h('legend', {}, legend), hint && h('p', { class: 'hint' }, hint), children,
    h('p', { class: 'fault', id: faultId, role: 'alert' }));
}

/** Shows faults at their fields, in place of earlier ones, and moves to the first. Returns those of other fields. */
export function showFaults(form, faults) {
  const fields = [...form.querySelectorAll('[data-field]')];
  const placeOf = (fault) => fields.find((field) => field.getAttribute('data-field') === fault.field);
  for (const control of form.querySelectorAll('[aria-invalid]')) control.ariaInvalid = null;
  for (const field of fields) {
    const messages = faults.filter((fault) => placeOf(fault) === field).map(({ message }) => message);
    field.querySelector(':scope > .fault').textContent = messages.join('; ');
    if (messages.length) for (const control of field.querySelectorAll('input, select, textarea')) control.ariaInvalid = 'true';
  }
  form.querySelector('[aria-invalid=true]')?.focus();
  return faults.filter((fault) => !placeOf(fault));
}

/** Makes a form with a field for each property of an input schema. `submit` gets the values that are filled in. */
export function formOf(schema, action, submit) {
  const form = h('form', { novalidate: true },
    fieldsOf(schema), h('p', { class: 'actions' }, h('button', { class: 'primary' }, action)));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const { values, faults } = valuesOf(form, schema);
    showFaults(form, faults);
    if (faults.length === 0) submit(values);
  });
  return form;
}

const types = (schema) => [schema.type].flat();

function fieldsOf(schema, path = '') {
  return Object.entries(schema.properties).map(([property, part]) => {
    const name = path + property;
    const isRequired = !path && schema.required?.includes(property);
    if (part.properties) {
      const remove = types(part).includes('null')
        && h('label', { class: 'check' }, h('input', { type: 'checkbox', name: `${name}=null` }), 'null');
      return group(name, property, [h('div', { class: 'columns' }, fieldsOf(part, `${name}.`)), remove], { hint: part.description });
    }
    const hint = part.description + (types(part).includes('array') ? ', separated by spaces' : '');
    const control = types(part).includes('object') ? h('textarea', { rows: 3, placeholder: '{}' })
      : h('input', { type: property === 'key' && 'password', inputmode: types(part).includes('integer') && 'numeric' });
    const helper = /ISO 8601/.test(part.description) && timeHelper(property, control);
    return field(name, property, control, { hint, helper, isRequired });
  });
}

const HOUR = 3600_000;
const LATER = [['+1 hour', HOUR], ['+30 days', 720 * HOUR], ['+1 year', 8760 * HOUR]];
const EARLIER = [['−1 hour', -HOUR], ['−1 day', -24 * HOUR], ['−30 days', -720 * HOUR]];

/** Makes buttons and a calendar that fill a field with a time. */
function timeHelper(name, control) {
  const fill = (date) => {
    control.value = date.toISOString();
    control.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const near = ([label, distance]) => button(label, () => fill(new Date(Date.now() + distance)));
  const calendar = h('input', { type: 'datetime-local', 'aria-label': `Choose ${name}` });
  calendar.addEventListener('change', () => calendar.value && fill(new Date(calendar.value)));
  return h('div', { class: 'row times' }, (name === 'expires_at' ? LATER : EARLIER).map(near), calendar);
}

/** Reads the values of a form, and finds those that cannot be sent. */
export function valuesOf(form, schema, path = '') {
  const values = {};
  const faults = [];
  for (const [property, part] of Object.entries(schema.properties)) {
    const name = path + property;
    if (part.properties) {
      const inner = valuesOf(form, part, `${name}.`);
      faults.push(...inner.faults);
      if (Object.keys(inner.values).length > 0) values[property] = inner.values;
      if (form.elements.namedItem(`${name}=null`)?.checked) values[property] = null;
      continue;
    }
    const text = form.elements.namedItem(name)?.value;
    if (!text) continue;
    if (types(part).includes('array')) values[property] = text.split(/\s+/).filter(Boolean);
    else if (types(part).includes('integer')) values[property] = /^-?\d+$/.test(text) ? Number(text) : text;
    else if (types(part).includes('object')) {
      try {
        values[property] = parse(text);
      } catch {
        faults.push({ field: name, message: 'must be JSON' });
      }
    } else values[property] = text;
  }
  return { values, faults };
}
