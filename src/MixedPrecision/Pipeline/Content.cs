using MixedPrecision.Caching;

namespace MixedPrecision.Pipeline;

/// <summary>A part of a stage's input that stands in the stage's key by what identifies its content.</summary>
/// <param name="key">Two contents of equal keys are equal.</param>
internal abstract class Content(CacheKey key)
{
    public CacheKey Key { get; } = key;
}

/// <summary>A value that is made when it is first read: a stage whose artifact is known reads no data and makes no session.</summary>
/// <param name="key">What determines the value.</param>
/// <param name="make">Makes the value, once.</param>
internal sealed class Content<T>(CacheKey key, Func<T> make) : Content(key), IDisposable
{
    private readonly Lazy<T> value = new(make);

    public T Value => value.Value;

    public void Dispose()
    {
        if (value.IsValueCreated && value.Value is IDisposable disposable)
        {
            disposable.Dispose();
        }
    }
}

/// <summary>A part of a stage's input that does not decide on the artifact, such as how many threads compute it: it is left out of the key.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class IncidentalAttribute : Attribute;
