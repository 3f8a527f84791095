// Choices that this browser keeps. Private windows may refuse to: then they last as long as the page.
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(`autodub.${name}`);
  } catch {
    return null;
  }
}

export function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`autodub.${name}`);
    else localStorage.setItem(`autodub.${name}`, value);
  } catch {
    // Nothing is lost but the choice.
  }
}
