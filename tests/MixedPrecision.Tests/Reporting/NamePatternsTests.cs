using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public class NamePatternsTests
{
    [Fact]
    public void NamesThatDifferInANumberAreOnePattern() =>
        Assert.Equal(["block.{0–11}.attn.q_proj"], NamePatterns.Of(Enumerable.Range(0, 12).Select(i => $"block.{i}.attn.q_proj")));

    /// <summary>A pattern stands for its names and no others: where a number is missing beside another one, there are two.</summary>
    [Fact]
    public void SeveralNumbersAreAProductOfSets()
    {
        string[] whole = [.. from stage in Enumerable.Range(1, 3) from block in Enumerable.Range(0, 2) select $"/s{stage}/b{block}/Conv"];
        Assert.Equal(["/s{1–3}/b{0–1}/Conv"], NamePatterns.Of(whole));
        Assert.Equal(["/s{1, 3}/b{0–1}/Conv", "/s2/b0/Conv"], NamePatterns.Of(whole.Where(name => name != "/s2/b1/Conv")));
        Assert.Equal(["/s1/b0/Conv", "/x"], NamePatterns.Of(["/s1/b0/Conv", "/x", "/x"]));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0–1", 0, 1)]
    [InlineData("0–5", 5, 4, 3, 2, 1, 0)]
    [InlineData("0, 4, …, 20", 0, 4, 8, 12, 16, 20)]
    [InlineData("0, 2, 4", 0, 2, 4)]
    [InlineData("1, 3–5", 1, 3, 4, 5)]
    [InlineData("1, 3, …, 20–21", 1, 3, 7, 12, 20, 21)]
    public void NumbersAreRuns(string text, params int[] numbers) => Assert.Equal(text, NamePatterns.Numbers(numbers));

    /// <summary>What is no count stays: leading zeros would be lost, and hashes are no numbers.</summary>
    [Fact]
    public void OtherDigitsAreText() =>
        Assert.Equal(["a.00", "a.01", "n1234567890", "n1234567891", "fp{16, 32}"], NamePatterns.Of(["a.00", "a.01", "n1234567890", "n1234567891", "fp16", "fp32"]));

    [Fact]
    public void ManyPatternsAreCutAndNamesCannotSteerTheTerminal()
    {
        Assert.Equal("'a', 'b', 'c', …", NamePatterns.Quoted(["a", "b", "c", "d"]));
        Assert.DoesNotContain(NamePatterns.Text([Examples.HostileName, "\0", "1\0" + "2"]), char.IsControl);
    }
}
