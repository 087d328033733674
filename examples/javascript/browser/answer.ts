/** Renders an answer as a list of names and values. A new key comes first and can be copied. */
export function listOf({ key, ...known }: { key?: string }): HTMLElement {
  const list = document.createElement('dl');
  const fields = key === undefined ? known : { key, ...known };
  for (const [name, value] of Object.entries(fields)) {
    const term = document.createElement('dt');
    term.textContent = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const details = document.createElement('dd');
    details.textContent = Array.isArray(value) ? value.join(' ') : String(value ?? '—');
    if (name === 'key') details.append(copyButton(String(value)), advice());
    list.append(term, details);
  }
  return list;
}

function copyButton(text: string): HTMLElement {
  const button = document.createElement('button');
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  });
  return button;
}

function advice(): HTMLElement {
  const advice = document.createElement('p');
  advice.textContent = 'Copy it now: it is not stored and cannot be shown again.';
  return advice;
}
