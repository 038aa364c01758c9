"""The demo's world: tasks whose answers can be checked, and two providers that really solve them."""
