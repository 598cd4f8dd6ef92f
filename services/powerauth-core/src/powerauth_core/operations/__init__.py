"""Operations: life cycle and user actions."""
