/** A browser and its system by what it calls itself; empty parts where they are not known. */
export function agent(text: string): { browser: string; system: string } {
  const browser = /\b(?:Edg|EdgA|EdgiOS)\//.test(text)
    ? 'Edge'
    : /\b(?:OPR|Opera)\//.test(text)
      ? 'Opera'
      : /\b(?:Firefox|FxiOS)\//.test(text)
        ? 'Firefox'
        : /\bSamsungBrowser\//.test(text)
          ? 'Samsung Internet'
          : /\b(?:Chrome|Chromium|CriOS|HeadlessChrome)\//.test(text)
            ? 'Chrome'
            : /\bVersion\/.*\bSafari\//.test(text)
              ? 'Safari'
              : (/^([\w.-]+)\/[\d.]+/.exec(text)?.[1]?.replace(/^Mozilla$/, '') ?? '');
  const system = /\b(?:iPhone|iPad|iPod)\b/.test(text)
    ? 'iOS'
    : /\bAndroid\b/.test(text)
      ? 'Android'
      : /\bWindows\b/.test(text)
        ? 'Windows'
        : /\bMac OS X\b|\bMacintosh\b/.test(text)
          ? 'macOS'
          : /\bCrOS\b/.test(text)
            ? 'ChromeOS'
            : /\bLinux\b/.test(text)
              ? 'Linux'
              : '';
  return { browser, system };
}
