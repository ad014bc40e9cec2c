using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MixedPrecision.Onnx;

namespace MixedPrecision.Formats;

/// <summary>What a lock holds of the constants of a weight of a layer.</summary>
/// <param name="Format">The format that they are of, <see cref="NumberFormat.Name"/>.</param>
/// <param name="Hash">Their <see cref="HashOf"/>.</param>
/// <param name="Restore">Makes them of what the weight alone gives in this format, and checks them.</param>
public sealed record LockedConstants(string Format, string Hash, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> Restore)
{
    /// <summary>SHA-256 of types, shapes and contents of tensors, in lower-case hexadecimal.</summary>
    public static string HashOf(IReadOnlyList<Tensor> tensors)
    {
        using IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Tensor tensor in tensors)
        {
            sha.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{tensor.ElementType} [{string.Join(',', tensor.Shape)}] ")));
            sha.AppendData(tensor.Bytes.Span);
        }

        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }
}
