// A question before something that cannot be taken back: `if (await ask({ title, text, yes })) ...`
export interface Question {
  title: string;
  text: string;
  /** What the button says that does it. */
  yes: string;
  no?: string;
  danger?: boolean;
}

class Asking {
  question = $state.raw<Question>();
  #answer: ((yes: boolean) => void) | undefined;

  ask = (question: Question): Promise<boolean> => {
    this.answer(false);
    this.question = question;
    return new Promise((resolve) => (this.#answer = resolve));
  };
  answer(yes: boolean): void {
    const told = this.#answer;
    this.#answer = undefined;
    this.question = undefined;
    told?.(yes);
  }
}
export const asking = new Asking();
export const ask = asking.ask;
