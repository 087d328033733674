import { h } from './dom.js';

/** Parses JSON. A number that JavaScript would change stays as it is written, where the browser can do that. */
export const parse = (text) => JSON.parse(text, (_, value, context) =>
  typeof value === 'number' && context?.source !== undefined && JSON.rawJSON && String(value) !== context.source
    ? JSON.rawJSON(context.source) : value);

export const print = (value) => JSON.stringify(value, null, 2);

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Makes nodes of JSON text in which names and values have classes. */
export function coloured(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [token, string, colon] = match;
    const kind = colon !== undefined ? 'j-name' : string !== undefined ? 'j-string' : 'j-word';
    nodes.push(text.slice(end, match.index), h('span', { class: kind }, string ?? token), colon ?? '');
    end = match.index + token.length;
  }
  return [...nodes, text.slice(end)];
}
