// What a menu offers.
import type { IconName } from './icons';

export interface MenuItem {
  label: string;
  icon?: IconName;
  onselect?: () => void;
  href?: string;
  download?: boolean;
  danger?: boolean;
  disabled?: boolean;
  /** Makes it one of a group of which one is chosen. */
  checked?: boolean;
  /** A small heading in front of it, and a line. */
  group?: string;
}
