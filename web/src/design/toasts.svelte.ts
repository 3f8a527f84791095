// Short words about what has just happened: `toast.good(t('jobs.deleted'))`, `toast.problem(thrown)`.
import { problemOf } from '../api/problem';
import { told } from '../i18n/told';

export interface Toast {
  id: number;
  tone: 'good' | 'info' | 'bad';
  text: string;
  hint?: string | undefined;
  action?: { label: string; run: () => void } | undefined;
}
type More = Pick<Toast, 'hint' | 'action'>;

class Toasts {
  all = $state.raw<readonly Toast[]>([]);
  #next = 1;

  show(tone: Toast['tone'], text: string, more: More = {}): number {
    const id = this.#next++;
    this.all = [...this.all.slice(-3), { id, tone, text, ...more }];
    return id;
  }
  good = (text: string, more?: More): number => this.show('good', text, more);
  info = (text: string, more?: More): number => this.show('info', text, more);
  /** Anything that was thrown. */
  problem = (thrown: unknown): number => {
    const problem = problemOf(thrown);
    const { text, hint, also } = told(problem);
    return this.show('bad', text, { hint: [hint, also].filter(Boolean).join(' ') });
  };
  close = (id: number): void => {
    this.all = this.all.filter((one) => one.id !== id);
  };
}
export const toast = new Toasts();
