"""Any discrete torchgfn environment, trained with torchgfn itself, one policy after the other."""
