"""How easily a PIN or a password is guessed (spec/device-trust.md §6.5): offline; nothing is kept or sent."""

from passphrase_meter.dictionaries import DICTIONARIES, free_dictionary, load_dictionary
from passphrase_meter.passwords import PasswordStrength, WrongPasswordError, test_password
from passphrase_meter.pins import PinIssue, PinTestResult, WrongPinError, test_pin

__all__ = [
    "DICTIONARIES",
    "PasswordStrength",
    "PinIssue",
    "PinTestResult",
    "WrongPasswordError",
    "WrongPinError",
    "free_dictionary",
    "load_dictionary",
    "test_password",
    "test_pin",
]
