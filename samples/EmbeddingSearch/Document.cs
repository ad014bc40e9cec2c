namespace EmbeddingSearch;

/// <summary>An entry of .NET's documentation.</summary>
/// <param name="Name">Of the type or member, with its namespace.</param>
/// <param name="Query">The type's name and the member's: who asks for these should find the entry, which is how ranking is judged.</param>
/// <param name="Text">What is searched: the description alone, without the name.</param>
public sealed record Document(string Name, string Query, string Text);
