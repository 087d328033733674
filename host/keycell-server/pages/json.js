import { h } from './dom.js';

/** Parses JSON. A number that JavaScript would change stays as it is written, where the browser can do that. */
export const parse = (text) => JSON.parse(text, (_, value, context) =>
  typeof value === 'number' && context?.source !== undefined && JSON.rawJSON && String(value) !== context.source
    ? JSON.rawJSON(context.source) : value);

export const print = (value) => JSON.stringify(value, null, 2);

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Makes nodes of JSON text in which values have classes. */
export function coloured(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(TOKENS)) {
    nodes.push(text.slice(end, index), colon ? token : h('span', { class: string ? 'j-string' : 'j-word' }, token));
    end = index + token.length;
  }
  return [...nodes, text.slice(end)];
}
